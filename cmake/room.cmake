# rr_room(name
#   USES    rooms that its files may include (the test `layering` holds every include against this)
#   LINKS   libraries from outside
#   HEADERS public headers; each is compiled alone
#   SOURCES implementation
#   TESTS   unit tests, beside the code)
#
# Makes the library rr_<name> and, with RR_TESTS, the test program rr_<name>_test. A room without
# sources is a header-only library.
function(rr_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "USES;LINKS;HEADERS;SOURCES;TESTS")
  if(room_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "rr_room(${name}): not understood: ${room_UNPARSED_ARGUMENTS}")
  endif()
  list(TRANSFORM room_USES PREPEND rr_ OUTPUT_VARIABLE used_libraries)

  if(room_SOURCES)
    set(scope PUBLIC)
    add_library(rr_${name} STATIC ${room_SOURCES})
    target_link_libraries(rr_${name} PRIVATE rr_options)
  else()
    set(scope INTERFACE)
    add_library(rr_${name} INTERFACE)
  endif()
  target_include_directories(rr_${name} ${scope} ${PROJECT_SOURCE_DIR})
  target_link_libraries(rr_${name} ${scope} ${used_libraries} ${room_LINKS})
  target_sources(rr_${name} ${scope}
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${room_HEADERS})
  set_target_properties(rr_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

  set_property(GLOBAL APPEND_STRING PROPERTY RR_ROOMS "${name}: ${room_USES}\n")

  if(RR_TESTS AND room_TESTS)
    add_executable(rr_${name}_test ${room_TESTS})
    target_link_libraries(rr_${name}_test PRIVATE
      rr_${name} rr_test_paths rr_options GTest::gmock_main)
    if(RR_SANITIZE)
      # What runs is the room, optimised; its tests compile in half the time without.
      target_compile_options(rr_${name}_test PRIVATE -O0)
    endif()
    gtest_discover_tests(rr_${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 900)
  endif()
endfunction()

# rr_isa_files(name file...): a test that these sources of the room, compiled for more than the base of the
# architecture, leave no inline function to the rest of the program.
function(rr_isa_files name)
  if(TARGET rr_${name}_test)
    add_test(NAME ${name}.isa_files COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM}
      "-DOBJECTS=$<TARGET_OBJECTS:rr_${name}>" "-DSOURCES=${ARGN}" -P ${PROJECT_SOURCE_DIR}/cmake/isa_files.cmake)
  endif()
endfunction()
