# The shared library: what programs link, in this build or after an installation.
include(GNUInstallDirs)

add_library(godwit_shared SHARED ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
add_library(godwit::godwit ALIAS godwit_shared)
set_target_properties(godwit_shared PROPERTIES
  OUTPUT_NAME godwit EXPORT_NAME godwit VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(godwit_shared PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,godwit_api>)
# Only the versioned namespace is visible: the implementation may change under a program that is linked already.
target_link_options(godwit_shared PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/godwit.map)
set_target_properties(godwit_shared PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/godwit.map)
target_include_directories(godwit_shared INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(godwit_shared INTERFACE cxx_std_23)
