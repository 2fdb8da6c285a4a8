target_compile_definitions(${target} PRIVATE GODWIT_VERSION="${PROJECT_VERSION}")
# The public headers name what a shared library shows; nothing else of this folder is one of its symbols.
target_compile_options(${target} PRIVATE -fvisibility=hidden -fvisibility-inlines-hidden)
