"""What is made when it is first wanted is made once."""

from threading import Barrier, Event, Thread

from lthtui.once import Once


class Owner:
    def __init__(self):
        self.made = []

    @Once
    def part(self):
        """A part."""
        self.made.append(object())
        if len(self.made) == 1:
            self.meanwhile.wait(0.1)  # nobody else gets in here
        return self.made[-1]


def test_many_threads_get_the_same_of_each_owner():
    owner, other, found = Owner(), Owner(), []
    owner.meanwhile = other.meanwhile = Event()
    barrier = Barrier(8)

    def get():
        barrier.wait()
        found.append(owner.part)

    threads = [Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == owner.made * 8
    assert other.part is other.part is not owner.part
    assert "part" in vars(owner) and Owner.__dict__["part"].__doc__ == "A part."
