# Cross-builds for 64-bit ARM Linux with Debian's compiler, and runs what was built under qemu-user. scripts/run_arm64.sh
# prepares GODWIT_ARM64_ROOT, a folder with the libraries of that architecture.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu)

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GODWIT_ARM64_ROOT)
set(CMAKE_FIND_ROOT_PATH ${GODWIT_ARM64_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)

# OpenSSL is linked statically, so that only the compiler's own libraries are looked for when a program runs.
set(OPENSSL_USE_STATIC_LIBS TRUE)
set(OPENSSL_INCLUDE_DIR ${GODWIT_ARM64_ROOT}/usr/include)
set(OPENSSL_CRYPTO_LIBRARY ${GODWIT_ARM64_ROOT}/usr/lib/aarch64-linux-gnu/libcrypto.a)
set(OPENSSL_SSL_LIBRARY ${GODWIT_ARM64_ROOT}/usr/lib/aarch64-linux-gnu/libssl.a)
set(CMAKE_CXX_FLAGS_INIT "-isystem ${GODWIT_ARM64_ROOT}/usr/include/aarch64-linux-gnu")
