target_link_libraries(${target} PUBLIC nlohmann_json::nlohmann_json PRIVATE fmt::fmt)

# What the program was built from, as a source of its own. It is written anew at every build, but only touched when
# it differs, so that a commit without other changes costs one small compilation and no stale hash is ever reported.
string(TOUPPER "${CMAKE_BUILD_TYPE}" _build_type)
set(_flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${_build_type}}")
get_target_property(_common godwit_flags INTERFACE_COMPILE_OPTIONS)
string(REPLACE ";" " " _common "${_common}")
# Warnings change no code: another set of them is not another build.
string(REGEX REPLACE "(^| )-W[^ ]*" "" _flags "${_flags} ${_common}")
string(REGEX REPLACE " +" " " _flags "${_flags}")
string(STRIP "${_flags}" _flags)
string(REPLACE "${PROJECT_SOURCE_DIR}" "." _flags "${_flags}")
set(_libraries "openssl=${OPENSSL_VERSION},fmt=${fmt_VERSION},nlohmann_json=${nlohmann_json_VERSION},xxhash=${XXHASH_VERSION}")
if(LIBURING_VERSION)
  string(APPEND _libraries ",liburing=${LIBURING_VERSION}")
endif()
set(_generated ${PROJECT_BINARY_DIR}/generated/build_facts.cc)
if(NOT TARGET godwit_build_facts)
  add_custom_target(godwit_build_facts
    COMMAND ${CMAKE_COMMAND} -D SOURCE_DIR=${PROJECT_SOURCE_DIR} -D OUTPUT=${_generated}
      -D "COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" -D "FLAGS=${_flags}"
      -D "FOLDERS=${GODWIT_SOURCE_FOLDERS}"
      -D "BUILD_TYPE=${CMAKE_BUILD_TYPE}" -D "VERSION=${PROJECT_VERSION}" -D "LIBRARIES=${_libraries}"
      -P ${PROJECT_SOURCE_DIR}/src/support/build_facts.cmake
    BYPRODUCTS ${_generated}
    COMMENT "Noting the commit and the flags" VERBATIM)
endif()
target_sources(${target} PRIVATE ${_generated})
set_source_files_properties(${_generated} PROPERTIES GENERATED TRUE)
add_dependencies(${target} godwit_build_facts)
