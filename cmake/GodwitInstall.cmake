# What is installed: the shared library, its public headers, and how CMake and pkg-config find them. Nothing else.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS godwit_shared EXPORT godwit LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/godwit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT godwit NAMESPACE godwit:: FILE godwitTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/godwit)
file(WRITE ${PROJECT_BINARY_DIR}/godwitConfig.cmake "include(\"\${CMAKE_CURRENT_LIST_DIR}/godwitTargets.cmake\")\n")
write_basic_package_version_file(${PROJECT_BINARY_DIR}/godwitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/godwitConfig.cmake ${PROJECT_BINARY_DIR}/godwitConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/godwit)
configure_file(${PROJECT_SOURCE_DIR}/cmake/godwit.pc.in ${PROJECT_BINARY_DIR}/godwit.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/godwit.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
