{
  # native/sources.json is the one list of sources, shared with CMakeLists.txt.
  "targets": [
    {
      "target_name": "evloop",
      "sources": [
        "<!@(node -p \"const s = require('./native/sources.json'); [...s.common, ...s.node].join(' ')\")",
      ],
      "include_dirs": [
        "<!(node -p \"require('node-api-headers').include_dir\")",
      ],
      "defines": ["NAPI_VERSION=8"],
      # For quoted includes only: as -I, native/sys/socket.h would hide the system's <sys/socket.h>.
      "cflags": [
        "-iquote<(module_root_dir)/native", "-Wall", "-Wextra", "-Werror",
        "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
      ],
      "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fvisibility-inlines-hidden"],
      # Node's own gypi asks for another dialect and mutes warnings that this code keeps.
      "cflags!": ["-Wno-unused-parameter"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fexceptions", "-frtti"],
      "configurations": {
        "Release": {
          "cflags": ["-O2"],
          "cflags!": ["-O3", "-g"],
        },
      },
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "<!@(node -p \"require('./native/sources.json').linux.join(' ')\")",
          ],
          # Never unloaded: threads of the resolver may return when every loop is gone.
          "ldflags": ["-Wl,--gc-sections", "-Wl,-z,now", "-Wl,-z,nodelete"],
        }],
        ["OS=='mac'", {
          "sources": [
            "<!@(node -p \"require('./native/sources.json').apple.join(' ')\")",
          ],
          "xcode_settings": {
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
            "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
            "GCC_ENABLE_CPP_RTTI": "NO",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "GCC_OPTIMIZATION_LEVEL": "2",
            "DEAD_CODE_STRIPPING": "YES",
            "OTHER_CFLAGS": ["-iquote<(module_root_dir)/native", "-Wall", "-Wextra", "-Werror"],
          },
        }],
      ],
    },
  ],
}
