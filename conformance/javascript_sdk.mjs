// Everyday use of the JavaScript SDK @azure/storage-blob: each check asserts; one line of JSON tells how it went.
//
//   node javascript_sdk.mjs FOLDER URL ACCOUNT KEY      FOLDER holds node_modules; NODE_EXTRA_CA_CERTS names the CA

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const [folder, url, account, key] = process.argv.slice(2);
const sdk = createRequire(folder + "/")("@azure/storage-blob");
const credential = new sdk.StorageSharedKeyCredential(account, key);
const service = new sdk.BlobServiceClient(url, credential, { retryOptions: { maxTries: 1 } });
const container = service.getContainerClient("javascript");
const HOUR = 3600 * 1000;

// The status and the code of a call that must be refused.
async function refused(call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error.statusCode, `no answer of the server: ${error}`);
    return [error.statusCode, error.code ?? error.details?.errorCode];
  }
  assert.fail("it was not refused");
}

// Everything that a paged call gives.
async function all(pages) {
  const found = [];
  for await (const item of pages) found.push(item);
  return found;
}

// A blob's URL with a SAS, as a client that has nothing else.
function signed(blob, permissions, fields = {}) {
  const sas = sdk.generateBlobSASQueryParameters(
    {
      containerName: container.containerName,
      blobName: blob.name,
      permissions: sdk.BlobSASPermissions.parse(permissions),
      expiresOn: new Date(Date.now() + HOUR),
      ...fields,
    },
    credential,
  );
  return new sdk.BlockBlobClient(`${blob.url}?${sas}`);
}

const checks = {
  async "upload and download"() {
    const blob = container.getBlockBlobClient("a folder/ü+%20.bak");
    const data = randomBytes(300_000);
    const blobHTTPHeaders = { blobContentType: "application/x-bak" };
    await blob.upload(data, data.length, { blobHTTPHeaders, metadata: { database: "Sales" } });
    assert.deepEqual(await blob.downloadToBuffer(), data);
    const seen = await blob.getProperties();
    assert.equal(seen.contentLength, data.length);
    assert.equal(seen.contentType, "application/x-bak");
    assert.deepEqual(seen.metadata, { database: "Sales" });
    assert.equal(Buffer.from(seen.contentMD5).toString("hex"), createHash("md5").update(data).digest("hex"));
  },

  async "parallel blocks"() {
    const blob = container.getBlockBlobClient("blocks");
    const data = randomBytes(5 * (1 << 20) + 17);
    await blob.uploadData(data, { blockSize: 1 << 20, maxSingleShotSize: 1 << 20, concurrency: 4 });
    const list = await blob.getBlockList("all");
    assert.deepEqual(list.committedBlocks.map((block) => block.size), [...Array(5).fill(1 << 20), 17]);
    assert.deepEqual(await blob.downloadToBuffer(0, undefined, { blockSize: 1 << 20, concurrency: 4 }), data);
  },

  async "a stream of unknown length"() {
    const blob = container.getBlockBlobClient("stream");
    const data = randomBytes(2_500_000);
    await blob.uploadStream(Readable.from([data.subarray(0, 999), data.subarray(999)]), 1 << 20, 3);
    assert.deepEqual(await blob.downloadToBuffer(), data);
  },

  async "ranges"() {
    const blob = container.getBlockBlobClient("ranges");
    await blob.upload("0123456789", 10);
    assert.equal((await blob.downloadToBuffer(3, 4)).toString(), "3456");
    assert.deepEqual(await refused(() => blob.download(10, 1)), [416, "InvalidRange"]);
  },

  async "listing"() {
    for (const name of ["list/a", "list/b/1", "list/b/2", "list/c"]) {
      await container.getBlockBlobClient(name).upload(name, name.length);
    }
    const flat = await all(container.listBlobsFlat({ prefix: "list/" }));
    assert.deepEqual(flat.map((blob) => blob.name), ["list/a", "list/b/1", "list/b/2", "list/c"]);
    const walked = await all(container.listBlobsByHierarchy("/", { prefix: "list/" }));
    assert.deepEqual(
      walked.map((entry) => [entry.kind, entry.name]).sort(),
      [["blob", "list/a"], ["blob", "list/c"], ["prefix", "list/b/"]],
    );
    const sizes = [];
    for await (const page of container.listBlobsFlat({ prefix: "list/" }).byPage({ maxPageSize: 3 })) {
      sizes.push(page.segment.blobItems.length);
    }
    assert.deepEqual(sizes, [3, 1]);
  },

  async "conditions"() {
    const blob = container.getBlockBlobClient("conditions");
    const first = await blob.upload("1", 1);
    const once = { conditions: { ifNoneMatch: "*" } };
    assert.deepEqual(await refused(() => blob.upload("2", 1, once)), [409, "BlobAlreadyExists"]);
    await blob.upload("2", 1, { conditions: { ifMatch: first.etag } });
    const stale = { conditions: { ifMatch: first.etag } };
    assert.deepEqual(await refused(() => blob.upload("3", 1, stale)), [412, "ConditionNotMet"]);
    assert.equal((await blob.downloadToBuffer()).toString(), "2");
  },

  async "lease"() {
    const blob = container.getBlockBlobClient("leased");
    await blob.upload("1", 1);
    const lease = blob.getBlobLeaseClient();
    await lease.acquireLease(-1);
    assert.equal((await blob.getProperties()).leaseDuration, "infinite");
    assert.deepEqual(await refused(() => blob.delete()), [412, "LeaseIdMissing"]);
    await blob.upload("2", 1, { conditions: { leaseId: lease.leaseId } });
    await lease.renewLease();
    await lease.changeLease("bac2bac2-bac2-bac2-bac2-bac2bac2bac2");
    assert.equal((await lease.breakLease(0)).leaseTime, 0);
    assert.equal((await blob.getProperties()).leaseState, "broken");
    await blob.delete();
    assert.equal(await blob.exists(), false);
  },

  async "page blob"() {
    const blob = container.getPageBlobClient("pages");
    await blob.create(2 ** 40);
    const data = randomBytes(4096);
    await blob.uploadPages(data, 8192, data.length);
    await blob.clearPages(8192, 512);
    const ranges = await blob.getPageRanges(0, 1 << 20);
    // The SDK counts to the last byte, not behind it.
    assert.deepEqual(ranges.pageRange, [{ offset: 8704, count: 3583 }]);
    const read = await blob.downloadToBuffer(8192, 4096);
    assert.deepEqual(read, Buffer.concat([Buffer.alloc(512), data.subarray(512)]));
    await blob.resize(16384);
    await blob.updateSequenceNumber("update", 7);
    const low = { conditions: { ifSequenceNumberLessThan: 7 } };
    assert.deepEqual(
      await refused(() => blob.uploadPages(data, 0, data.length, low)),
      [412, "SequenceNumberConditionNotMet"],
    );
    const seen = await blob.getProperties();
    assert.deepEqual([seen.blobType, seen.contentLength, seen.blobSequenceNumber], ["PageBlob", 16384, 7]);
  },

  async "append blob"() {
    const blob = container.getAppendBlobClient("log");
    await blob.create();
    assert.equal((await blob.appendBlock("one", 3)).blobAppendOffset, "0");
    const second = await blob.appendBlock("two", 3, { conditions: { appendPosition: 3 } });
    assert.equal(second.blobCommittedBlockCount, 2);
    const wrong = { conditions: { appendPosition: 3 } };
    assert.deepEqual(
      await refused(() => blob.appendBlock("x", 1, wrong)),
      [412, "AppendPositionConditionNotMet"],
    );
    assert.equal((await blob.downloadToBuffer()).toString(), "onetwo");
  },

  async "sas"() {
    const blob = container.getBlockBlobClient("with a sas");
    await blob.upload("content", 7);
    const reader = signed(blob, "r");
    assert.equal((await reader.downloadToBuffer()).toString(), "content");
    assert.deepEqual(await refused(() => reader.delete()), [403, "AuthorizationPermissionMismatch"]);
    const late = signed(blob, "r", { startsOn: new Date(Date.now() - 2 * HOUR), expiresOn: new Date(Date.now() - HOUR) });
    assert.deepEqual(await refused(() => late.downloadToBuffer()), [403, "AuthenticationFailed"]);
    await signed(blob, "racwd").upload("changed", 7);
    assert.equal((await signed(blob, "r").downloadToBuffer()).toString(), "changed");
    await signed(blob, "d").delete();
    assert.equal(await blob.exists(), false);
  },

  async "account sas"() {
    const sas = service.generateAccountSasUrl(
      new Date(Date.now() + HOUR),
      sdk.AccountSASPermissions.parse("rl"),
      "sco",
    );
    const guest = new sdk.BlobServiceClient(sas, undefined, { retryOptions: { maxTries: 1 } });
    const names = (await all(guest.listContainers())).map((entry) => entry.name);
    assert.ok(names.includes("javascript"));
    const other = guest.getContainerClient("never-made");
    assert.deepEqual(await refused(() => other.create()), [403, "AuthorizationPermissionMismatch"]);
  },

  async "stored access policy"() {
    const policy = { expiresOn: new Date(Date.now() + HOUR), startsOn: new Date(Date.now() - HOUR), permissions: "r" };
    await container.setAccessPolicy(undefined, [{ id: "readers", accessPolicy: policy }]);
    const kept = await container.getAccessPolicy();
    assert.deepEqual(kept.signedIdentifiers.map((entry) => entry.id), ["readers"]);
    const blob = container.getBlockBlobClient("by policy");
    await blob.upload("content", 7);
    const sas = sdk.generateBlobSASQueryParameters(
      { containerName: container.containerName, blobName: blob.name, identifier: "readers" },
      credential,
    );
    const reader = new sdk.BlockBlobClient(`${blob.url}?${sas}`);
    assert.equal((await reader.downloadToBuffer()).toString(), "content");
    await container.setAccessPolicy(undefined, []);
    assert.deepEqual(await refused(() => reader.downloadToBuffer()), [403, "AuthenticationFailed"]);
  },

  async "snapshot"() {
    const blob = container.getBlockBlobClient("base");
    await blob.upload("before", 6);
    const { snapshot } = await blob.createSnapshot();
    await blob.upload("after!", 6);
    assert.equal((await blob.withSnapshot(snapshot).downloadToBuffer()).toString(), "before");
    assert.equal((await blob.downloadToBuffer()).toString(), "after!");
    const listed = await all(container.listBlobsFlat({ prefix: "base", includeSnapshots: true }));
    assert.deepEqual(listed.map((entry) => entry.snapshot ?? "").sort(), ["", snapshot]);
    assert.deepEqual(await refused(() => blob.delete()), [409, "SnapshotsPresent"]);
    await blob.delete({ deleteSnapshots: "include" });
    assert.equal(await blob.exists(), false);
  },

  async "copy"() {
    const source = container.getBlockBlobClient("source");
    const data = randomBytes(100_000);
    await source.upload(data, data.length, { metadata: { from: "source" } });
    const copy = container.getBlockBlobClient("copied");
    const poller = await copy.beginCopyFromURL(source.url);
    assert.equal((await poller.pollUntilDone()).copyStatus, "success");
    assert.deepEqual(await copy.downloadToBuffer(), data);
    assert.deepEqual((await copy.getProperties()).metadata, { from: "source" });
    const second = container.getBlockBlobClient("copied at once");
    assert.equal((await second.syncCopyFromURL(signed(source, "r").url)).copyStatus, "success");
    assert.deepEqual(await second.downloadToBuffer(), data);
  },

  async "tags"() {
    const blob = container.getBlockBlobClient("tagged");
    await blob.upload("x", 1, { tags: { kind: "log" } });
    assert.deepEqual((await blob.getTags()).tags, { kind: "log" });
    await blob.setTags({ kind: "full", "keep until": "2030" });
    assert.deepEqual((await blob.getTags()).tags, { kind: "full", "keep until": "2030" });
    assert.equal((await blob.getProperties()).tagCount, 2);
  },

  async "batch delete"() {
    const blobs = ["batch/1", "batch/2", "batch/3"].map((name) => container.getBlockBlobClient(name));
    for (const blob of blobs) await blob.upload("x", 1);
    const absent = container.getBlockBlobClient("batch/absent");
    const answer = await service.getBlobBatchClient().deleteBlobs([...blobs, absent]);
    assert.deepEqual(answer.subResponses.map((one) => one.status), [202, 202, 202, 404]);
    assert.deepEqual(await all(container.listBlobsFlat({ prefix: "batch/" })), []);
  },

  async "service"() {
    const info = await service.getAccountInfo();
    assert.ok(info.skuName && info.accountKind);
    const cors = { allowedOrigins: "https://example.org", allowedMethods: "GET", maxAgeInSeconds: 60 };
    await service.setProperties({ cors: [{ ...cors, allowedHeaders: "", exposedHeaders: "" }] });
    const kept = await service.getProperties();
    assert.equal(kept.cors[0].allowedOrigins, "https://example.org");
    await service.setProperties({ cors: [] });
  },

  async "what is not there"() {
    const blob = container.getBlockBlobClient("absent");
    assert.deepEqual(await refused(() => blob.download()), [404, "BlobNotFound"]);
    assert.equal(await blob.exists(), false);
    const other = service.getContainerClient("absent").getBlockBlobClient("b");
    assert.deepEqual(await refused(() => other.upload("x", 1)), [404, "ContainerNotFound"]);
  },
};

// What went wrong and where in this file; the way through the SDK is left out.
function told(reason) {
  const lines = String(reason.stack ?? reason).split("\n");
  return lines.filter((line) => !line.includes("node_modules")).join("\n").slice(0, 2000);
}

await container.create();
for (const [check, run] of Object.entries(checks)) {
  let error = null;
  await run().catch((reason) => (error = told(reason)));
  console.log(JSON.stringify({ check, error }));
}
