# One static library a folder of src/, its tests beside it.
#
#   godwit_library(NAME [IN top] [MARKED])
#
# compiles src/NAME/*.cc (without *_test.cc, *_test_support.cc, *_benchmark.cc) into godwit_NAME, and src/NAME/*_test.cc with
# what supports them into godwit_NAME_test. It links what cmake/layers.json lets it include. IN names another folder than src; its libraries are then the only ones that include from there.
# MARKED adds godwit_NAME_marked, the same sources with GODWIT_COST_MARKS defined.
# A folder may add NAME/libraries.cmake: it is included with ${target} set, for external libraries.
# Files ending in _x86.cc and _x86_test.cc are compiled on x86 only.

add_library(godwit_flags INTERFACE)
target_include_directories(godwit_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_options(godwit_flags INTERFACE
  -Wall -Wextra -Wpedantic $<$<BOOL:${GODWIT_WERROR}>:-Werror> -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wold-style-cast -Wcast-qual -Wformat=2 -Wimplicit-fallthrough
  -Wno-missing-field-initializers -fno-omit-frame-pointer -fstack-protector-strong)
# Optimised, g++ 12 warns of overlapping copies in "text" + std::string that cannot be (GCC bug 105329).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(godwit_flags INTERFACE -Wno-restrict)
endif()
if(GODWIT_POSIX)
  target_compile_definitions(godwit_flags INTERFACE GODWIT_POSIX=1)
endif()
if(GODWIT_SANITIZE)
  target_compile_options(godwit_flags INTERFACE -fsanitize=${GODWIT_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(godwit_flags INTERFACE -fsanitize=${GODWIT_SANITIZE})
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i[3-6]86")
  set(GODWIT_X86 ON)
else()
  set(GODWIT_X86 OFF)
endif()

function(_godwit_one_library target folder suffix depends sources)
  add_library(${target} STATIC ${sources})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${target} PUBLIC godwit_flags)
  foreach(depend ${depends})
    if(suffix AND TARGET godwit_${depend}${suffix})
      target_link_libraries(${target} PUBLIC godwit_${depend}${suffix})
    else()
      target_link_libraries(${target} PUBLIC godwit_${depend})
    endif()
  endforeach()
  if(EXISTS ${folder}/libraries.cmake)
    include(${folder}/libraries.cmake)
  endif()
endfunction()

function(godwit_library name)
  cmake_parse_arguments(arg "MARKED" "IN" "" ${ARGN})
  if(NOT DEFINED GODWIT_LAYER_${name})
    message(FATAL_ERROR "cmake/layers.json has no folder ${name}")
  endif()
  if(NOT arg_IN)
    set(arg_IN src)
  endif()
  set(top ${PROJECT_SOURCE_DIR}/${arg_IN})
  set(folder ${top}/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cc)
  file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test(_support)?\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|test_support|benchmark)\\.cc$")
  if(NOT GODWIT_X86)
    list(FILTER sources EXCLUDE REGEX "_x86\\.cc$")
    list(FILTER tests EXCLUDE REGEX "_x86_test\\.cc$")
  endif()
  if(NOT sources)
    set(sources ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
  endif()
  _godwit_one_library(godwit_${name} ${folder} "" "${GODWIT_LAYER_${name}}" "${sources}")
  if(NOT arg_IN STREQUAL "src")
    target_include_directories(godwit_${name} PUBLIC ${top})
  endif()
  if(arg_MARKED AND GODWIT_MARKED)
    _godwit_one_library(godwit_${name}_marked ${folder} "_marked" "${GODWIT_LAYER_${name}}" "${sources}")
    target_compile_definitions(godwit_${name}_marked PRIVATE GODWIT_COST_MARKS=1)
  endif()
  if(GODWIT_TESTS AND tests)
    set(label "")
    if(name IN_LIST GODWIT_CORE)
      set(label core)
    elseif(name IN_LIST GODWIT_THREADED)
      set(label threads)
    endif()
    godwit_test(godwit_${name}_test SOURCES ${tests} LIBRARIES godwit_${name} LABEL "${label}")
  endif()
endfunction()

if(GODWIT_TESTS)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/source_tree.cc.in ${PROJECT_BINARY_DIR}/generated/source_tree.cc @ONLY)
  add_library(godwit_source_tree STATIC ${PROJECT_BINARY_DIR}/generated/source_tree.cc)
  target_link_libraries(godwit_source_tree PRIVATE godwit_flags)
endif()

#   godwit_test(TARGET SOURCES file... LIBRARIES target... [TIMEOUT seconds] [LABEL label]): a GoogleTest executable whose
#   cases ctest lists one by one. scripts/run_tests.sh selects by the labels: core (no threads, clocks and sockets),
#   threads (what ThreadSanitizer is for), slow (minutes already without a sanitizer).
function(godwit_test target)
  cmake_parse_arguments(arg "" "TIMEOUT;LABEL" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} godwit_source_tree godwit_flags GTest::gmock GTest::gtest_main fmt::fmt)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABEL}")
endfunction()
