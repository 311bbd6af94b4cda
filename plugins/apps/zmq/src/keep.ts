/** Bytes of one slab. One message that is kept for long keeps so much memory at most, beside its own. */
const SLAB = 8 * 1024;
/** Longer payloads get memory of their own. */
const LARGEST_SHARED = SLAB / 4;

/**
 * Gives payloads memory that does not outlive them by much. What the socket gives is a view of a whole network read of up
 * to 64 KiB; one such view in the queue of a stuck subscriber would keep all of that, and ten thousand of them 640 MB.
 * Copying into small slabs costs some 0.2 µs a message, a buffer for each message about 1 µs.
 */
export class Keep {
  #slab = Buffer.allocUnsafeSlow(SLAB);
  #used = 0;

  /** The same bytes, copied unless the view is a good part of its memory already. */
  own(view: Buffer): Buffer {
    const { length } = view;
    if (view.buffer.byteLength <= 2 * length) return view;
    if (length > LARGEST_SHARED) {
      const own = Buffer.allocUnsafeSlow(length);
      own.set(view);
      return own;
    }
    if (this.#used + length > SLAB) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#used = 0;
    }
    const start = this.#used;
    this.#slab.set(view, start);
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }
}
