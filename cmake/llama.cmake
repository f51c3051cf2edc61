# llama.cpp, for the optional room lm_llama: the target rr_llama, and RR_HAS_LLAMA.
#
#   RR_LLAMA=AUTO  where it is found and fits (the default); ON: or fail; OFF: do not look
#   CMAKE_PREFIX_PATH or llama_DIR leads to its CMake package, LLAMA_DIR to a folder with its headers
#   in include/ and its libraries in lib/, or to a source tree that was built
#
# Its interface changes from one version to the next: the probe below decides, whatever the number.

set(RR_LLAMA AUTO CACHE STRING "Use an installed llama.cpp: AUTO, ON or OFF")
set_property(CACHE RR_LLAMA PROPERTY STRINGS AUTO ON OFF)
set(LLAMA_DIR "" CACHE PATH "A folder with llama.cpp's headers and libraries, where it has no CMake package")
set(RR_HAS_LLAMA OFF)
set(llama_wanted "version 0.5 is known to fit; docs/engines.md says how to get it")

function(rr_without_llama reason)
  if(RR_LLAMA STREQUAL ON)
    message(FATAL_ERROR "RR_LLAMA is ON, and ${reason}; ${llama_wanted}")
  elseif(ARGN STREQUAL LOUD)
    message(WARNING "The room lm_llama is left out: ${reason}; ${llama_wanted}")
  endif()
endfunction()

if(NOT RR_LLAMA)
  return()
endif()

add_library(rr_llama INTERFACE IMPORTED)
if(LLAMA_DIR)
  find_path(RR_LLAMA_INCLUDE llama.h PATHS ${LLAMA_DIR} PATH_SUFFIXES include NO_DEFAULT_PATH)
  find_path(RR_GGML_INCLUDE ggml.h PATHS ${LLAMA_DIR} PATH_SUFFIXES include ggml/include NO_DEFAULT_PATH)
  foreach(library llama ggml ggml-base)
    find_library(RR_${library}_LIBRARY ${library} PATHS ${LLAMA_DIR}
      PATH_SUFFIXES lib lib64 build/bin bin build/src build/ggml/src NO_DEFAULT_PATH)
    if(RR_${library}_LIBRARY)
      target_link_libraries(rr_llama INTERFACE ${RR_${library}_LIBRARY})
    endif()
  endforeach()
  if(NOT RR_LLAMA_INCLUDE OR NOT RR_GGML_INCLUDE OR NOT RR_llama_LIBRARY)
    message(FATAL_ERROR "expected llama.h, ggml.h and the library llama below ${LLAMA_DIR} (LLAMA_DIR), "
      "found ${RR_LLAMA_INCLUDE}, ${RR_GGML_INCLUDE} and ${RR_llama_LIBRARY}")
  endif()
  target_include_directories(rr_llama SYSTEM INTERFACE ${RR_LLAMA_INCLUDE} ${RR_GGML_INCLUDE})
  set(llama_place ${LLAMA_DIR})
else()
  find_package(llama CONFIG QUIET)
  if(NOT llama_FOUND)
    rr_without_llama("llama.cpp was not found")
    return()
  endif()
  target_link_libraries(rr_llama INTERFACE llama)
  set(llama_place "${llama_DIR}, version ${llama_VERSION}")
endif()

include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES rr_llama)
string(SHA1 llama_key "${llama_place}")
string(SUBSTRING ${llama_key} 0 8 llama_key)
check_cxx_source_compiles([[
#include <ggml-backend.h>
#include <llama.h>
int main() {
  llama_model_params model = llama_model_default_params();
  model.n_gpu_layers = 1;
  llama_context_params context = llama_context_default_params();
  context.kv_unified = true;
  context.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
  llama_memory_t memory = nullptr;
  llama_memory_seq_cp(memory, 0, 1, 0, 1);
  ggml_backend_load_all();
  return llama_model_is_hybrid(nullptr) || llama_model_is_diffusion(nullptr) || llama_version() == nullptr;
}]] RR_LLAMA_FITS_${llama_key})
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT RR_LLAMA_FITS_${llama_key})
  rr_without_llama("llama.cpp at ${llama_place} has another interface" LOUD)
  return()
endif()
set(RR_HAS_LLAMA ON)
message(STATUS "llama.cpp: ${llama_place}")
