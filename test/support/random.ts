// Random choices that come out the same in every run.

/** Marsaglia's xorshift: numbers from 0 to 1, 1 excluded. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
