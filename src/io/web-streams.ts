// A stream as a pair of web streams.
import { ReadableStream, WritableStream } from 'node:stream/web';
import type { Awaitable } from '../task/awaitable.js';
import { runUntracked } from '../task/tracking.js';

/** What is needed of a stream. @internal */
export interface WebSource {
  read(): Awaitable<Buffer>;
  send(data: Uint8Array): Awaitable<void>;
  _endWriting(): Awaitable<void> | null;
  close(): unknown;
  abort(): void;
}

/** Both directions of a stream. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** Connects web streams to `stream`, which is closed when both have ended. @internal */
export function webStreamsOf(stream: WebSource): WebStreams {
  let open = 2;
  const endOne = (): void => {
    open--;
    if (open === 0) stream.close();
  };
  // Apart from the task that runs now: cancelling that must not break a stream that others may go on with.
  const readable = new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        runUntracked(async () => {
          const chunk = await stream.read();
          if (chunk.length > 0) return controller.enqueue(chunk);
          controller.close();
          endOne();
        }),
      cancel: endOne,
    },
    // What nobody wants stays in the stream, which slows the peer down.
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => runUntracked(async () => await stream.send(chunk)),
    close: () =>
      runUntracked(async () => {
        await stream._endWriting();
        endOne();
      }),
    abort: () => stream.abort(),
  });
  return { readable, writable };
}
