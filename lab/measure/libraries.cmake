target_link_libraries(${target} PRIVATE fmt::fmt)

# Which interfaces and packet filters the machine has: doctor.
find_path(MNL_INCLUDE_DIR libmnl/libmnl.h REQUIRED)
find_library(MNL_LIBRARY mnl REQUIRED)
mark_as_advanced(MNL_INCLUDE_DIR MNL_LIBRARY)
target_include_directories(${target} SYSTEM PRIVATE ${MNL_INCLUDE_DIR})
target_link_libraries(${target} PRIVATE ${MNL_LIBRARY})
