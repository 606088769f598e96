// Node's own native modules.

/**
 * One of those that Node still lets programs see. The way to them is deprecated, and so it warns; nobody who runs
 * this program could do anything about that.
 *
 * @throws Error - this Node has no such module, or its permission model keeps programs from it.
 * @internal
 */
export function nodeBinding(name: string): unknown {
  const isQuiet = process.noDeprecation === true;
  if (!isQuiet) process.noDeprecation = true;
  try {
    return (process as unknown as { binding(name: string): unknown }).binding(name);
  } finally {
    if (!isQuiet) process.noDeprecation = false;
  }
}
