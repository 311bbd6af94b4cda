/** Opens the log that it is told, and prints the code and the message of the error; nothing where it can be opened. */
import { Store, StoreError } from "@threatbus/store";

try {
  const store = await Store.open({ path: process.argv[2] ?? "" });
  await store.close();
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  console.log(`${error.code} ${error.message}`);
}
