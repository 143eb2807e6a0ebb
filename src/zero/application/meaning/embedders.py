"""Which embedder a search uses: the one that is set, or while its vectors are made the one before it."""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from zero.application.ports import Embedder, Vector

Maker = Callable[[], Embedder]

_QUESTIONS_MAX = 256


class Embedders:
    """Those that this process can make, by name; each is made when it is first needed. ``current`` is the one that is set."""

    def __init__(self, current: str, makers: Mapping[str, Maker]) -> None:
        self.current = current
        self._makers = makers
        self._made: dict[str, Embedder] = {}
        self._questions: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    def get(self, name: str) -> Embedder:
        """Return the embedder of that name."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def choose(self, embedded: Mapping[str, int]) -> Embedder:
        """Return the current one once it has embedded as much as any other that can be had, else the one that has the most."""
        usable = {name: count for name, count in embedded.items() if name in self._makers}
        most = max(usable.values(), default=0)
        if usable.get(self.current, 0) >= most:
            return self.get(self.current)
        return self.get(max(usable, key=lambda name: usable[name]))

    async def question(self, embedder: Embedder, text: str) -> Vector:
        """Return the vector of a question; those of the latest questions are remembered."""
        key = (embedder.name, text)
        if key in self._questions:
            self._questions.move_to_end(key)
            return self._questions[key]
        vector = self._questions[key] = await embedder.embed_question(text)
        if len(self._questions) > _QUESTIONS_MAX:
            self._questions.popitem(last=False)
        return vector
