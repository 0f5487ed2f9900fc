# Run at install time: copies the Boost libraries that `library` needs, directly or through each
# other, into the prefix under the names it looks for.
file(GET_RUNTIME_DEPENDENCIES LIBRARIES ${library} RESOLVED_DEPENDENCIES_VAR resolved
  UNRESOLVED_DEPENDENCIES_VAR unresolved PRE_INCLUDE_REGEXES "^libboost_" PRE_EXCLUDE_REGEXES ".*"
  DIRECTORIES ${boost_lib})
if(unresolved)
  message(FATAL_ERROR "Cannot bundle Boost: not found: ${unresolved}")
endif()
foreach(path IN LISTS resolved)
  get_filename_component(name ${path} NAME)
  get_filename_component(real ${path} REALPATH)
  message(STATUS "Bundling: ${name}")
  configure_file(${real} "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/${name}" COPYONLY)
endforeach()
