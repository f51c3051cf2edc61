# Warnings, sanitizers and the compiler cache: what holds for every target of the tree.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

string(REGEX MATCH "^(x86_64|AMD64)$" RR_X86 "${CMAKE_SYSTEM_PROCESSOR}")

find_program(RR_CCACHE ccache)
if(RR_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RR_CCACHE})
endif()

add_library(rr_options INTERFACE)
target_compile_options(rr_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Wunused -Woverloaded-virtual)
target_include_directories(rr_options INTERFACE ${PROJECT_SOURCE_DIR})
if(NOT RR_X86)
  # A product and a sum stay two roundings, as the base of x86-64 has them.
  target_compile_options(rr_options INTERFACE -ffp-contract=off)
endif()

# RR_SANITIZE: "address,undefined" or "thread"; empty for none.
set(RR_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
if(RR_SANITIZE)
  add_compile_options(-fsanitize=${RR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${RR_SANITIZE})
endif()
