# FindLibTorch: imported targets for a LibTorch unpacked from its wheels, or for a folder of the user's own.
#
# The wheel's own TorchConfig is not used: it enables CUDA through the system's toolkit and then links that toolkit's NCCL,
# which may be older than the one this LibTorch needs.
#
# In:  LEADSWEEP_LIBTORCH (folder), LEADSWEEP_DEVICE (cpu|cuda)
# Out: target LibTorch::LibTorch; with cuda also LibTorch::Nccl (headers only: the library is the one LibTorch loads)

find_path(LibTorch_ROOT NAMES lib/libtorch_cpu.so
    HINTS ${LEADSWEEP_LIBTORCH}/torch ${LEADSWEEP_LIBTORCH} NO_DEFAULT_PATH)
find_path(LibTorch_INCLUDE_DIR NAMES torch/csrc/api/include/torch/torch.h HINTS ${LibTorch_ROOT}/include NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_ROOT LibTorch_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "set LEADSWEEP_LIBTORCH to an unpacked LibTorch 2.15, or use ./dev build, which fetches one")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
    set(nvidia_dir ${LibTorch_ROOT}/../nvidia)
    add_library(LibTorch::LibTorch INTERFACE IMPORTED)
    # -idirafter: the wheel carries its own fmt; the system's must win.
    target_compile_options(LibTorch::LibTorch INTERFACE
        "SHELL:-idirafter ${LibTorch_INCLUDE_DIR}"
        "SHELL:-idirafter ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
    target_link_directories(LibTorch::LibTorch INTERFACE ${LibTorch_ROOT}/lib)
    set(library_dirs ${LibTorch_ROOT}/lib)
    foreach(dir cu13 nccl cudnn cusparselt nvshmem)
        if(EXISTS ${nvidia_dir}/${dir}/lib)
            list(APPEND library_dirs ${nvidia_dir}/${dir}/lib)
        endif()
    endforeach()
    foreach(dir ${library_dirs})
        target_link_options(LibTorch::LibTorch INTERFACE "-Wl,-rpath,${dir}" "-Wl,-rpath-link,${dir}")
    endforeach()
    if(LEADSWEEP_DEVICE STREQUAL cuda)
        find_path(LibTorch_CUDA_INCLUDE_DIR cuda_runtime_api.h HINTS ${nvidia_dir}/cu13/include NO_DEFAULT_PATH REQUIRED)
        find_path(LibTorch_NCCL_INCLUDE_DIR nccl.h HINTS ${nvidia_dir}/nccl/include NO_DEFAULT_PATH REQUIRED)
        target_compile_definitions(LibTorch::LibTorch INTERFACE LEADSWEEP_CUDA=1)
        # Before the system's: headers of the libraries that are loaded, whatever else is installed.
        target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE ${LibTorch_CUDA_INCLUDE_DIR})
        target_link_directories(LibTorch::LibTorch INTERFACE ${nvidia_dir}/cu13/lib)
        target_link_libraries(LibTorch::LibTorch INTERFACE
            -Wl,--no-as-needed torch_cuda torch_cpu c10_cuda c10 -l:libcudart.so.13 -Wl,--as-needed)
        add_library(LibTorch::Nccl INTERFACE IMPORTED)
        target_include_directories(LibTorch::Nccl SYSTEM INTERFACE ${LibTorch_NCCL_INCLUDE_DIR})
    else()
        target_link_libraries(LibTorch::LibTorch INTERFACE torch_cpu c10)
    endif()
endif()
