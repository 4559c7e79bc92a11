"""Threads of retrieval: those that search take one core each, those that build step back."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

NICENESS = 5


def search_pool(threads: int) -> ThreadPoolExecutor:
    """Makes the threads in which towers run and indexes are searched."""
    return ThreadPoolExecutor(threads, "search", one_core)


def one_core() -> None:
    """Keeps faiss from taking further cores for what this thread asks; it minds each thread."""
    import faiss

    faiss.omp_set_num_threads(1)


def step_back() -> None:
    """Lets threads that answer go first where cores are few; Linux has a niceness per thread."""
    one_core()
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
