# The group of the password-authenticated key exchange comes from libsodium. Without it the same functions say that they
# are absent, and there are no one-time codes.
find_path(SODIUM_INCLUDE_DIR sodium.h)
find_library(SODIUM_LIBRARY sodium)
mark_as_advanced(SODIUM_INCLUDE_DIR SODIUM_LIBRARY)
get_target_property(code_sources ${target} SOURCES)
if(GODWIT_SODIUM AND SODIUM_INCLUDE_DIR AND SODIUM_LIBRARY)
  list(FILTER code_sources EXCLUDE REGEX "cpace_absent\\.cc$")
  target_include_directories(${target} SYSTEM PRIVATE ${SODIUM_INCLUDE_DIR})
  target_link_libraries(${target} PUBLIC ${SODIUM_LIBRARY})
else()
  list(FILTER code_sources EXCLUDE REGEX "cpace_sodium\\.cc$")
endif()
set_target_properties(${target} PROPERTIES SOURCES "${code_sources}")
