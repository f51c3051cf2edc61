# cmake -DNM=nm "-DOBJECTS=a.o;b.o" -DSOURCES="a.cc;b.cc" -P isa_files.cmake
#
# Fails where an object of SOURCES, files that are compiled for more than the base of the architecture, has
# an inline function that the rest of the program shares: the linker keeps one of all that have its name, and
# a machine that lacks the instructions might run it.
set(shared "")
set(seen 0)
foreach(object IN LISTS OBJECTS)
  foreach(source IN LISTS SOURCES)
    if(object MATCHES "/${source}\\.o(bj)?$")
      execute_process(COMMAND ${NM} -C --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
      string(REGEX MATCHALL "[^\n]* W [^\n]*" found "${symbols}")
      foreach(symbol IN LISTS found)
        string(APPEND shared "\n${source}: ${symbol}")
      endforeach()
      math(EXPR seen "${seen} + 1")
    endif()
  endforeach()
endforeach()
list(LENGTH SOURCES expected)
if(NOT seen EQUAL expected)
  message(FATAL_ERROR "expected objects of ${SOURCES}, found ${seen} of ${expected}")
endif()
if(shared)
  message(FATAL_ERROR "functions that other instruction sets may come to run:${shared}")
endif()
