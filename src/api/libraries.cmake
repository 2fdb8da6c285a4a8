target_compile_definitions(${target} PRIVATE GODWIT_VERSION="${PROJECT_VERSION}")
