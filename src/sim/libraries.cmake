target_link_libraries(${target} PUBLIC fmt::fmt PRIVATE Threads::Threads)
