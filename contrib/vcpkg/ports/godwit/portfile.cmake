# The library alone. GODWIT_SOURCE names a checkout; a registry that holds releases puts vcpkg_from_git() in its place.
if(NOT DEFINED ENV{GODWIT_SOURCE})
  message(FATAL_ERROR "GODWIT_SOURCE names the checkout that is to be built")
endif()
set(SOURCE_PATH "$ENV{GODWIT_SOURCE}")
vcpkg_check_features(OUT_FEATURE_OPTIONS features FEATURES uring GODWIT_URING)
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS
  -DGODWIT_PROGRAM=OFF -DGODWIT_LAB=OFF -DGODWIT_TESTS=OFF -DGODWIT_EXAMPLES=OFF -DGODWIT_STATIC=OFF -DGODWIT_IPSEC_MB=OFF
  ${features})
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME godwit CONFIG_PATH lib/cmake/godwit)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
