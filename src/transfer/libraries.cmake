# XXH3 digests the data of performance runs; SHA-256 comes with crypto's OpenSSL.
target_link_libraries(${target} PRIVATE PkgConfig::XXHASH)
