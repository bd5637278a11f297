// Imports point downwards only: a folder may import from folders below it in this list (and from the top-level files).
const layers = [
  ['cli'],
  ['server'],
  ['refresh'],
  ['engine', 'fleet'],
  ['worker'],
  ['indexing'],
  ['copy', 'sample'],
  ['state', 'search', 'embedded'],
  ['config'],
  ['documents'],
  ['postgres'],
];

const forbidden = [
  { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'no-unresolved',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
];
layers.forEach((folders, depth) => {
  const above = layers.slice(0, depth).flat();
  const beside = folders;
  for (const folder of folders) {
    const upwards = [...above, ...beside.filter((other) => other !== folder)];
    if (upwards.length === 0) continue;
    forbidden.push({
      name: `${folder}-imports-downwards`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: `^src/(${upwards.join('|')})/` },
    });
  }
});
forbidden.push({
  name: 'top-level-files-import-no-folder',
  severity: 'error',
  from: { path: '^src/(errors|errorPolicy|limits|failpoints|version)\\.ts$' },
  to: { path: '^src/[^/]+/' },
});

module.exports = {
  forbidden,
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
