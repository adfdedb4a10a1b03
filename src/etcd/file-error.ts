/** A file of etcd cannot be used. The text says which file, what was found and what to do. */
export class EtcdFileError extends Error {
  override readonly name = "EtcdFileError";
}
