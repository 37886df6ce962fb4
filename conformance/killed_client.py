"""A client that is killed in the middle of its work, as a process is killed and not as a program ends itself."""

import multiprocessing


def killed(work, *arguments, ready):
    """Runs a client in a process of its own and kills it once `ready` returns."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments, daemon=True)
    process.start()
    try:
        ready()
        assert process.is_alive()
    finally:
        process.kill()
        process.join()
