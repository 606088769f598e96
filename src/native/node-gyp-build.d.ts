declare module 'node-gyp-build' {
  const nodeGypBuild: {
    /** The addon that fits this process, in `build/` or `prebuilds/` of a directory; throws when there is none. */
    path(directory: string): string;
  };
  export default nodeGypBuild;
}
