"""Several clients at once."""

import threading


def run_all(work):
    """Runs functions at once, each in a thread; the first problem of any is raised."""
    problems = []

    def guarded(function):
        try:
            function()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(function,), daemon=True) for function in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
        assert not thread.is_alive(), "a client hangs"
    if problems:
        raise problems[0]
