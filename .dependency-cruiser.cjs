// Imports point down: a file may import its own room or a lower one.
const rooms = [
  '^src/base/',
  '^src/native/',
  '^src/core/',
  '^src/task/',
  '^src/sync/',
  '^src/io/',
  '^src/(event-loop|deadlock|signals|teardown|run)\\.ts$',
  '^src/node/',
  '^src/(index\\.ts|cli\\.ts|register\\.c?ts)$',
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...rooms.slice(0, -1).map((room, level) => ({
      name: `down-only-${level}`,
      comment: `${room} may not import a room above it`,
      severity: 'error',
      from: { path: room },
      to: { path: rooms.slice(level + 1) },
    })),
    {
      name: 'every-file-has-a-room',
      comment: 'a source outside the listed rooms would escape the layering',
      severity: 'error',
      from: { path: '^src/', pathNot: rooms },
      to: {},
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true }, to: {} },
    {
      name: 'no-dead-files',
      comment: 'whatever no entry of the package reaches is not shipped code',
      severity: 'error',
      from: { path: '^src/(index\\.ts|cli\\.ts|register\\.c?ts)$' },
      to: { path: '^src/', pathNot: '^src/(index\\.ts|cli\\.ts|register\\.c?ts)$', reachable: false },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'few-packages',
      comment: 'one finds the addon, the other parses the command line',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules/', pathNot: 'node_modules/(node-gyp-build|commander|@types/node)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
