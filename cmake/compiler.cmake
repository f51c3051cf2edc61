# Warnings, sanitizers and the compiler cache: what holds for every target of the tree.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(RR_CCACHE ccache)
if(RR_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RR_CCACHE})
endif()

add_library(rr_options INTERFACE)
target_compile_options(rr_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Wunused -Woverloaded-virtual -Werror)
target_include_directories(rr_options INTERFACE ${PROJECT_SOURCE_DIR})

# RR_SANITIZE: "address,undefined" or "thread"; empty for none.
set(RR_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
if(RR_SANITIZE)
  add_compile_options(-fsanitize=${RR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${RR_SANITIZE})
endif()
