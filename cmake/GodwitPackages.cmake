# Debian packages by CPack, one a component: libgodwitN, libgodwit-dev, godwit. scripts/build_packages.sh configures for it
# (GODWIT_DEBIAN, the prefix /usr), builds, and lets lintian judge.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME godwit)
set(CPACK_PACKAGE_VENDOR "Godwit")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL library development)
if(GODWIT_PROGRAM)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${GODWIT_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(library libgodwit${PROJECT_VERSION_MAJOR})
# CPack puts the space before each line that the format asks for, and the dot into each empty one.
set(about "Godwit moves messages, streams and files between peers over UDP, encrypted and
reliably, also through address translators. It speaks the wire of the deployed
Freenet peers, and a form of its own with forward secrecy between two Godwits.
")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${library})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "encrypted, NAT-traversing UDP transport: library
${about}
This package has the shared library.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libgodwit-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${library} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), libssl-dev, libfmt-dev")
# The static library's, where the build has found them.
if("IPSec_MB" IN_LIST GODWIT_STATIC_LIBRARIES)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libipsec-mb-dev")
endif()
if("uring" IN_LIST GODWIT_STATIC_LIBRARIES)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", liburing-dev")
endif()
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "encrypted, NAT-traversing UDP transport: for building programs
${about}
This package has the headers for C++ and C, the static library, and what CMake
and pkg-config need to find them.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME godwit)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION net)
set(CPACK_COMPONENT_TOOLS_DESCRIPTION "encrypted, NAT-traversing UDP transport: program
${about}
This package has the program: it sends and receives files and messages,
measures networks and itself, and simulates networks.")

# What depends on the library needs this version or a newer one of the same SONAME, and the loader's cache is brought up to
# date by a trigger. CPack's own way runs ldconfig in scripts, which Debian has given up.
file(WRITE ${PROJECT_BINARY_DIR}/debian/shlibs
  "libgodwit ${PROJECT_VERSION_MAJOR} ${library} (>= ${PROJECT_VERSION})\n")
file(WRITE ${PROJECT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/debian/shlibs ${PROJECT_BINARY_DIR}/debian/triggers)

# What Debian wants of every package: the licence and both changelogs, compressed without a time of day.
find_program(GZIP gzip REQUIRED)
set(texts ${PROJECT_BINARY_DIR}/debian)
file(MAKE_DIRECTORY ${texts})
configure_file(${PROJECT_SOURCE_DIR}/contrib/debian/changelog.in ${texts}/changelog.Debian @ONLY)
file(COPY_FILE ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${texts}/changelog)
foreach(text changelog changelog.Debian)
  execute_process(COMMAND ${GZIP} -9nf ${texts}/${text} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
foreach(lower ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${lower} component)
  install(FILES ${texts}/changelog.gz ${texts}/changelog.Debian.gz ${PROJECT_SOURCE_DIR}/contrib/debian/copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${component}_PACKAGE_NAME} COMPONENT ${lower})
endforeach()
# The services are there, and run only where somebody enables them.
if(GODWIT_PROGRAM)
  install(FILES ${PROJECT_SOURCE_DIR}/contrib/systemd/godwit-listen.service
    ${PROJECT_SOURCE_DIR}/contrib/systemd/godwit-perf.service
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_TOOLS_PACKAGE_NAME}/examples COMPONENT tools)
endif()
include(CPack)
