// How far a future has come.

/**
 * A const enum: the compiler puts its numbers where they are used. To the engine, a constant of another
 * module is a variable, read and checked at each use.
 *
 * @internal
 */
export const enum State {
  PENDING,
  FULFILLED,
  FAILED,
  /** The value is the reason; the error is made when somebody asks for it. */
  CANCELLED,
  /** The value is the error. */
  CANCELLED_WITH,
}
