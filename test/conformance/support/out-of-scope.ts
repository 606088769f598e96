// Cases of CPython that no program can answer, and why.

const REASONS: readonly [reason: string, cases: RegExp][] = [
  [
    'I/O, which test/unit/io covers',
    /create_(connection|server|unix|datagram|ssl)|_connection|pipe|(read|write|bidirectional)_pty|trsock|Sendfile|sendfile|SocketTests|TestSelectorUtils|TestServer|TestAbstractServer|ipaddr|getnameinfo|port_parameter|datagram|accept_connection|server_close|reader_callback|writer_callback|fds|accepted_socket|BaseLoopSock/,
  ],
  ['subprocesses', /[Ss]ubprocess/],
  ['signals, which test/unit/signals.test.ts covers', /signal|interrupt|keyboard_interrupt/],
  ['threads and executors', /executor|[Tt]hreadsafe|check_thread|_thread|other_thread|get_event_loop_thread/],
  ['the text of Python objects', /repr|_str\b|_format|formatting|error_msg|name_not_str|set_name_pylong/],
  [
    'typing of Python, its class machinery, its C implementation',
    /generic_alias|task_class|subclass|super_init|uninitialized|copy_state|compiled|isfuture|iscoroutine|asynclike|non_gen|segfault|refleaks|issue1|foobar|hash|comparison|weakref|del_collect|Introspection|get_coro|not_implemented|class_getitem|positional|coroutine_like|noaddr|DecimalContext/,
  ],
  ['a setter of Python that is gone or deprecated', /message_setter/],
  [
    'loops of a thread that does not run them: policies, loop parameters',
    /Policy|PolicyTests|without_loop|global_loop|no_running_loop|implicit_loop|GetEventLoop|set_event_loop|loop_parameter|default_event_loop|orphan|internal_fds/,
  ],
  ['generators of Python: StopIteration, yield from', /stop_iteration|yield_from/],
  [
    'when garbage is collected, and reports that depend on it; test/unit/task/task.test.ts',
    /never_retrieved|tb_logger|log_traceback|destroyed_pending|_by_gc/,
  ],
  ['tracebacks and debug mode', /traceback|debug|get_stack|log_slow|call_coroutine|print_stack/],
  [
    'a context manager that is entered wrongly: a call with a body cannot be',
    /entered|double_enter|without_task|without_parent_task/,
  ],
  ['the name of the context as an argument', /get_context|context_[56]$|_task_context/],
  [
    'the loop taken apart: its private methods',
    /_add_callback_handle|_run_once$|selecter_event|custom_run_forever|timeout_rounding|baseexception/,
  ],
  ['futures of concurrent.futures; test/unit/task/wrap.test.ts', /wrap_future/],
  ['closing async generators; test/unit/run.test.ts', /closes_gens/],
];

/** Why a case is answered by no program; null when it is open. */
export function outOfScope(name: string): string | null {
  return REASONS.find(([, cases]) => cases.test(name))?.[0] ?? null;
}
