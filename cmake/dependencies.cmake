# Everything comes from Debian's packages (scripts/packages); nothing is downloaded at configure time.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(simdjson REQUIRED)
find_package(tomlplusplus REQUIRED)

# dnnl's own CMake package asks for OpenCL's development files, which a CPU build does not need.
find_library(RR_DNNL_LIBRARY dnnl REQUIRED)
find_path(RR_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp REQUIRED)
add_library(rr_dnnl INTERFACE)
target_include_directories(rr_dnnl SYSTEM INTERFACE ${RR_DNNL_INCLUDE})
target_link_libraries(rr_dnnl INTERFACE ${RR_DNNL_LIBRARY})

pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)

# Several ranks that train together (rr/ranks). Without it the program runs as one process alone.
set(RR_HAS_MPI OFF)
if(RR_MPI)
  pkg_check_modules(openmpi QUIET IMPORTED_TARGET ompi-c)
  set(RR_HAS_MPI ${openmpi_FOUND})
endif()

# Charts of pages (rr/report): a script that is put into each page.
find_file(RR_CHART_JS_FILE chart.min.js
  PATHS /usr/share/javascript/chart.js /usr/local/share/javascript/chart.js NO_DEFAULT_PATH REQUIRED
  DOC "Chart.js 3 (Debian: libjs-chart.js)")
file(STRINGS ${RR_CHART_JS_FILE} chart_js_version REGEX "Chart\\.js v3\\." LIMIT_COUNT 1)
if(NOT chart_js_version)
  message(FATAL_ERROR "${RR_CHART_JS_FILE}: expected Chart.js 3")
endif()

if(RR_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(RR_BENCH)
  find_package(benchmark REQUIRED)
endif()
