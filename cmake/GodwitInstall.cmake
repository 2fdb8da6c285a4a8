# What is installed: the shared library, its public headers, and how CMake and pkg-config find them. Nothing else.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(godwit_shared SHARED ${CMAKE_SOURCE_DIR}/cmake/empty.cc)
add_library(godwit::godwit ALIAS godwit_shared)
set_target_properties(godwit_shared PROPERTIES
  OUTPUT_NAME godwit EXPORT_NAME godwit VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(godwit_shared PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,godwit_api>)
# Only the versioned namespace is visible: the implementation may change under a program that is linked already.
target_link_options(godwit_shared PRIVATE LINKER:--version-script=${CMAKE_SOURCE_DIR}/cmake/godwit.map)
set_target_properties(godwit_shared PROPERTIES LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/godwit.map)
target_include_directories(godwit_shared INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(godwit_shared INTERFACE cxx_std_23)

install(TARGETS godwit_shared EXPORT godwit LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/godwit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT godwit NAMESPACE godwit:: FILE godwitTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/godwit)
file(WRITE ${CMAKE_BINARY_DIR}/godwitConfig.cmake "include(\"\${CMAKE_CURRENT_LIST_DIR}/godwitTargets.cmake\")\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/godwitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/godwitConfig.cmake ${CMAKE_BINARY_DIR}/godwitConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/godwit)
configure_file(${CMAKE_SOURCE_DIR}/cmake/godwit.pc.in ${CMAKE_BINARY_DIR}/godwit.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/godwit.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
