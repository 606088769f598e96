// Echo with Deno's own sockets, one async function for each connection: deno run echo-deno.mjs HOST PORT
const { Deno } = /** @type {any} */ (globalThis);
const [hostname, port] = Deno.args;

/** @param {any} connection */
async function echo(connection) {
  const buffer = new Uint8Array(65536);
  connection.setNoDelay(true);
  try {
    for (let length; (length = await connection.read(buffer)) !== null;) {
      for (let sent = 0; sent < length;) sent += await connection.write(buffer.subarray(sent, length));
    }
  } finally {
    connection.close();
  }
}

for await (const connection of Deno.listen({ hostname, port: Number(port) })) {
  // A client that resets the connection is no reason to end.
  echo(connection).catch(() => {});
}
