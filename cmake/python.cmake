# The extension gotorch._C. In the build tree it lies in ${build}/python/gotorch beside links to the
# package's sources, so that PYTHONPATH=${build}/python runs what is in the working tree.
find_package(Python 3.8 REQUIRED COMPONENTS Interpreter Development.Module)
execute_process(COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
  OUTPUT_VARIABLE pybind11_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT pybind11_DIR)
  message(FATAL_ERROR "The Python extension needs pybind11: "
    "${Python_EXECUTABLE} -m pip install 'pybind11>=3.0.2,<4'")
endif()
find_package(pybind11 3.0.2 CONFIG REQUIRED)

file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/python/src/*.cpp)
pybind11_add_module(_C MODULE NO_EXTRAS ${sources})
target_compile_options(_C PRIVATE ${GOTORCH_FLAGS} -Wno-attributes)
target_compile_definitions(_C PRIVATE GOTORCH_VERSION="${PROJECT_VERSION}")
target_link_libraries(_C PRIVATE gotorch)

# pybind11's default, hidden, would give the extension its own copy of every inline variable in our
# headers. Its own namespace stays hidden by attribute (hence -Wno-attributes).
set(package ${CMAKE_CURRENT_BINARY_DIR}/python/gotorch)
set_target_properties(_C PROPERTIES
  CXX_VISIBILITY_PRESET default LIBRARY_OUTPUT_DIRECTORY ${package})

file(GLOB links LIST_DIRECTORIES true ${package}/*)
foreach(link IN LISTS links)
  if(IS_SYMLINK ${link})
    file(REMOVE ${link})
  endif()
endforeach()
file(MAKE_DIRECTORY ${package})
file(GLOB entries LIST_DIRECTORIES true CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/python/gotorch/*)
foreach(entry IN LISTS entries)
  get_filename_component(name ${entry} NAME)
  if(NOT name STREQUAL "__pycache__")
    file(CREATE_LINK ${entry} ${package}/${name} SYMBOLIC)
  endif()
endforeach()
