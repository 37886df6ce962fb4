"""The asynchronous Python SDK (azure.storage.blob.aio over aiohttp), over http and https."""

import asyncio
import random
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobType, ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

MIB = 1 << 20


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def run(door, steps):
    """One event loop, one client, one container of its own."""

    async def within():
        sizes = {"max_block_size": MIB, "max_single_put_size": MIB}
        async with BlobServiceClient(door.url, **door.options(**sizes)) as service:
            container = await service.create_container(f"async-{uuid.uuid4().hex[:8]}")
            await steps(container)

    asyncio.run(within())


async def refused(call):
    """Status and code of a call that must fail."""
    with pytest.raises(HttpResponseError) as error:
        await call
    code = error.value.error_code
    return error.value.status_code, getattr(code, "value", code)


def test_many_uploads_and_downloads_at_once(door):
    async def steps(container):
        sizes = [0, 1, MIB, 3 * MIB + 17] * 4
        pieces = {f"blob {n}": noise(size, n) for n, size in enumerate(sizes)}
        await asyncio.gather(
            *(container.upload_blob(name, data, max_concurrency=3) for name, data in pieces.items())
        )
        assert {blob.name async for blob in container.list_blobs()} == set(pieces)

        async def read(name):
            return name, await (await container.download_blob(name, max_concurrency=3)).readall()

        assert dict(await asyncio.gather(*map(read, pieces))) == pieces

    run(door, steps)


def test_a_stream_goes_up_and_comes_down_in_pieces(door):
    async def steps(container):
        data = noise(5 * MIB + 3)

        async def pieces():
            for at in range(0, len(data), 100_000):
                yield data[at : at + 100_000]

        blob = await container.upload_blob("stream", pieces())
        back = b"".join([piece async for piece in (await blob.download_blob()).chunks()])
        assert back == data
        part = await blob.download_blob(offset=MIB - 1, length=2)
        assert await part.readall() == data[MIB - 1 : MIB + 1]

    run(door, steps)


def test_leases(door):
    async def steps(container):
        blob = await container.upload_blob("leased", b"1")
        lease = await blob.acquire_lease(15)
        assert await refused(blob.delete_blob()) == (412, "LeaseIdMissing")
        await blob.upload_blob(b"2", overwrite=True, lease=lease)
        await lease.renew()
        await lease.change("bac2bac2-bac2-bac2-bac2-bac2bac2bac2")
        assert (await blob.get_blob_properties()).lease.state == "leased"
        await lease.release()
        held = await container.acquire_lease()
        assert await refused(container.delete_container()) == (412, "LeaseIdMissing")
        await held.break_lease(0)
        await container.delete_container()

    run(door, steps)


def test_pages_and_appends(door):
    async def steps(container):
        pages = container.get_blob_client("pages")
        await pages.create_page_blob(1 << 40)
        data = noise(512 * 64)
        await asyncio.gather(
            *(pages.upload_page(data[at : at + 4096], at, 4096) for at in range(0, len(data), 4096))
        )
        assert await (await pages.download_blob(offset=0, length=len(data))).readall() == data
        log = await container.upload_blob("log", b"one", blob_type=BlobType.AppendBlob)
        await log.append_block(b"two")
        assert await (await log.download_blob()).readall() == b"onetwo"

    run(door, steps)


def test_a_sas(door):
    async def steps(container):
        await container.upload_blob("b", b"content")
        until = datetime.now(timezone.utc) + timedelta(hours=1)
        sas = generate_container_sas(
            door.account, container.container_name, account_key=door.key,
            permission=ContainerSasPermissions(read=True, list=True), expiry=until,
        )  # fmt: skip
        async with ContainerClient(
            door.url, container.container_name, **door.options(credential=sas)
        ) as guest:
            assert [blob.name async for blob in guest.list_blobs()] == ["b"]
            assert await (await guest.download_blob("b")).readall() == b"content"
            assert await refused(guest.delete_blob("b")) == (403, "AuthorizationPermissionMismatch")

    run(door, steps)


def test_a_copy_and_a_snapshot(door):
    async def steps(container):
        source = await container.upload_blob("source", noise(100_000))
        moment = (await source.create_snapshot())["snapshot"]
        await source.upload_blob(b"changed", overwrite=True)
        target = container.get_blob_client("target")
        await target.start_copy_from_url(f"{source.url}?snapshot={moment}")
        assert (await target.get_blob_properties()).copy.status == "success"
        assert await (await target.download_blob()).readall() == noise(100_000)

    run(door, steps)
