# What is installed, in three components: the shared library (library), what programs are built with (development), and the
# program (tools). `cmake --install BUILD --component library` installs one of them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/godwit)
install(TARGETS godwit_shared EXPORT godwit
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/godwit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(EXPORT godwit NAMESPACE godwit:: FILE godwitTargets.cmake DESTINATION ${package} COMPONENT development)
set(GODWIT_STATIC_NEEDS_FMT OFF)
if(GODWIT_STATIC)
  include(GodwitStatic)
  if("fmt" IN_LIST GODWIT_STATIC_MODULES)
    set(GODWIT_STATIC_NEEDS_FMT ON)
  endif()
  install(TARGETS godwit_static EXPORT godwitStatic ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  install(EXPORT godwitStatic NAMESPACE godwit:: FILE godwitStaticTargets.cmake DESTINATION ${package} COMPONENT development)
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/godwitConfig.cmake.in ${PROJECT_BINARY_DIR}/godwitConfig.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/godwitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/godwitConfig.cmake ${PROJECT_BINARY_DIR}/godwitConfigVersion.cmake
  DESTINATION ${package} COMPONENT development)

# The prefix is found from where the file stands, so that an installation can be moved, also where libraries have a folder
# for each architecture (lib/x86_64-linux-gnu).
set(pkgconfig ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH GODWIT_PREFIX_FROM_PC /prefix/${pkgconfig} /prefix)
string(REGEX REPLACE "/$" "" GODWIT_PREFIX_FROM_PC "${GODWIT_PREFIX_FROM_PC}")
list(JOIN GODWIT_STATIC_MODULES ", " GODWIT_PC_MODULES)
list(TRANSFORM GODWIT_STATIC_LIBRARIES PREPEND -l OUTPUT_VARIABLE GODWIT_PC_LIBRARIES)
list(APPEND GODWIT_PC_LIBRARIES -lstdc++ -pthread)
list(JOIN GODWIT_PC_LIBRARIES " " GODWIT_PC_LIBRARIES)
configure_file(${PROJECT_SOURCE_DIR}/cmake/godwit.pc.in ${PROJECT_BINARY_DIR}/godwit.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/godwit.pc DESTINATION ${pkgconfig} COMPONENT development)

# Debian's packages have the licence in their copyright files (cmake/GodwitPackages.cmake).
if(NOT GODWIT_DEBIAN)
  foreach(component library development tools)
    install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT ${component})
  endforeach()
endif()

configure_file(${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake.in ${PROJECT_BINARY_DIR}/uninstall.cmake @ONLY)
if(NOT TARGET uninstall)
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${PROJECT_BINARY_DIR}/uninstall.cmake
    COMMENT "Removing what was installed" VERBATIM)
endif()
