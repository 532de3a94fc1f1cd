# SPDX-License-Identifier: Apache-2.0
# Every outside library, found once.
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
# Optional: signing as a validator of BTTC. Without it everything is checked, and nothing signed.
pkg_check_modules(SECP256K1 QUIET IMPORTED_TARGET libsecp256k1)
if(SPARKMILL_BENCH)
  find_package(benchmark REQUIRED)
endif()
if(SPARKMILL_TESTS)
  find_package(GTest REQUIRED)
endif()
