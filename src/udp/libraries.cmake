find_package(Threads REQUIRED)
target_link_libraries(${target} PUBLIC Threads::Threads)

# The io_uring back end is optional when building and again when running: without liburing the same functions say that
# it was not built.
set(godwit_with_uring 0)
if(GODWIT_URING)
  pkg_check_modules(LIBURING QUIET IMPORTED_TARGET liburing>=2.3)
  if(LIBURING_FOUND)
    set(godwit_with_uring 1)
    target_link_libraries(${target} PRIVATE PkgConfig::LIBURING)
  endif()
endif()
target_compile_definitions(${target} PRIVATE GODWIT_WITH_URING=${godwit_with_uring})
