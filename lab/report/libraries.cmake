target_link_libraries(${target} PRIVATE fmt::fmt)
# g++ 12 sees overlapping copies in "text" + std::string at -O3 that are not there (GCC bug 105329).
target_compile_options(${target} PRIVATE $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
