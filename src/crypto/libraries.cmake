# OpenSSL carries X25519, ChaCha20-Poly1305 and the portable AES-GCM. IPsec-MB is optional: without it, or off x86, a
# stub that reports it absent is compiled in its place, so that no other source knows the difference. The same holds for
# the batch kernels, which are x86 code.
target_link_libraries(${target} PUBLIC OpenSSL::Crypto)
# Kernels for instructions beyond the baseline stay apart from each other and from all else.
set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)

find_path(IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h)
find_library(IPSEC_MB_LIBRARY IPSec_MB)
mark_as_advanced(IPSEC_MB_INCLUDE_DIR IPSEC_MB_LIBRARY)
get_target_property(crypto_sources ${target} SOURCES)
if(GODWIT_IPSEC_MB AND GODWIT_X86 AND IPSEC_MB_INCLUDE_DIR AND IPSEC_MB_LIBRARY)
  list(FILTER crypto_sources EXCLUDE REGEX "packet_cipher_ipsec_absent\\.cc$")
  target_include_directories(${target} SYSTEM PRIVATE ${IPSEC_MB_INCLUDE_DIR})
  target_link_libraries(${target} PUBLIC ${IPSEC_MB_LIBRARY})
else()
  list(FILTER crypto_sources EXCLUDE REGEX "packet_cipher_ipsec_x86\\.cc$")
endif()
if(GODWIT_X86)
  list(FILTER crypto_sources EXCLUDE REGEX "gcm_batch_absent\\.cc$")
  # Without optimisation every intrinsic is a call, and a test of whole connections takes many times as long. The
  # instructions beyond the baseline are the business of function attributes in the sources: no inline function of
  # another header may be compiled for them.
  file(GLOB gcm_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/crypto/gcm_batch_*_x86.cc)
  if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    set_source_files_properties(${gcm_kernels} PROPERTIES COMPILE_OPTIONS -O2)
  endif()
endif()
set_target_properties(${target} PROPERTIES SOURCES "${crypto_sources}")

# libsodium is the tests' second opinion and nothing else. The test target does not exist yet at this point.
function(godwit_crypto_second_opinion)
  if(NOT TARGET godwit_crypto_test)
    return()
  endif()
  find_path(SODIUM_INCLUDE_DIR sodium.h)
  find_library(SODIUM_LIBRARY sodium)
  mark_as_advanced(SODIUM_INCLUDE_DIR SODIUM_LIBRARY)
  if(SODIUM_INCLUDE_DIR AND SODIUM_LIBRARY)
    target_include_directories(godwit_crypto_test SYSTEM PRIVATE ${SODIUM_INCLUDE_DIR})
    target_link_libraries(godwit_crypto_test PRIVATE ${SODIUM_LIBRARY})
  else()
    get_target_property(test_sources godwit_crypto_test SOURCES)
    list(FILTER test_sources EXCLUDE REGEX "sodium_test\\.cc$")
    set_target_properties(godwit_crypto_test PROPERTIES SOURCES "${test_sources}")
  endif()
endfunction()
cmake_language(DEFER CALL godwit_crypto_second_opinion)
