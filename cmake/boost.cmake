# Boost.Fiber and Boost.Context, 1.81 or later (timed waits of earlier ones race): the system's, or
# the PyPI package cmeel-boost of the Python that builds. GOTORCH_BOOST=system or pypi, in the
# environment too, allows only one of them.
set(GOTORCH_BOOST "$ENV{GOTORCH_BOOST}" CACHE STRING "Where Boost comes from: system, pypi or, if empty, either")

macro(gotorch_find_boost)
  find_package(Boost 1.81 CONFIG QUIET COMPONENTS fiber context ${ARGN})
endmacro()

if(NOT GOTORCH_BOOST STREQUAL "pypi")
  gotorch_find_boost()
endif()
if(NOT Boost_FOUND AND NOT GOTORCH_BOOST STREQUAL "system")
  find_package(Python 3.8 QUIET COMPONENTS Interpreter)
  if(Python_FOUND)
    execute_process(
      COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/python/tools/needs.py boost-prefix
      OUTPUT_VARIABLE prefix OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(prefix)
      unset(Boost_DIR CACHE)
      gotorch_find_boost(PATHS ${prefix} NO_DEFAULT_PATH)
    endif()
  endif()
endif()
if(NOT Boost_FOUND)
  message(FATAL_ERROR "GoTorch needs Boost.Fiber >= 1.81. Either of these brings it:\n"
    "  apt-get install libboost-fiber1.81-dev   (Debian 12; later releases: libboost-fiber-dev)\n"
    "  python3 -m pip install cmeel-boost       (into the Python that builds)")
endif()
message(STATUS "Boost ${Boost_VERSION} from ${Boost_DIR}")
