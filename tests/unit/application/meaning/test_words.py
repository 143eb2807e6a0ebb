import pytest

from zero.application.meaning.words import content_words, matches, question_words, split_identifiers, stem, text_terms, weights


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NameSystem.addStoredBlock: blockMap updated", "Name System add Stored Block block Map updated"),
        ("HTTPServer2$SelectChannelConnector", "HTTP Server Select Channel Connector"),
        ("user_locked_out=true reason=max-attempts", "user locked out true reason max attempts"),
        ("pam_unix(sshd:auth): check pass; uid=0", "pam unix sshd auth check pass uid"),
        ("Größe überschritten, ошибкаДиска", "Größe überschritten ошибкаДиска"),
        ("<*>:<*> 12345 0xff", "xff"),
        ("", ""),
    ],
)
def test_identifiers_are_split_into_words(text: str, words: str) -> None:
    assert split_identifiers(text) == words


def test_small_words_and_repeats_carry_no_meaning() -> None:
    assert content_words("The disk of the node and the DISK of a replica") == ["disk", "node", "replica"]


@pytest.mark.parametrize(
    "forms",
    [
        "connect connects connected connecting connection connections",
        "delete deletes deleted deleting",
        "stop stops stopped stopping",
        "authenticate authenticated authenticating authentication",
        "reply replies replied",
        "password passwords",
    ],
)
def test_forms_of_a_word_have_one_stem(forms: str) -> None:
    assert len({stem(form) for form in forms.split()}) == 1


@pytest.mark.parametrize("word", ["process", "status", "access", "redis", "used", "bus", "is"])
def test_a_word_is_not_cut_to_nothing(word: str) -> None:
    assert len(stem(word)) >= min(len(word), 3)


def test_a_word_weighs_more_than_its_synonyms() -> None:
    found = weights("passwords")
    assert found[stem("password")] == 1.0
    assert 0 < found[stem("credentials")] < 1


def test_reasons_name_the_word_asked_for_and_the_one_found() -> None:
    question = question_words("who is guessing passwords over ssh")
    assert dict(matches(question, "sshd: Failed password for root")) == {"passwords": "password", "ssh": "sshd"}
    assert list(matches(question, "block replicated")) == []


def test_a_question_of_small_words_alone_keeps_them_and_a_long_one_is_bounded() -> None:
    assert question_words("who was here") == ["who", "was", "here"]
    assert len(question_words(" ".join(f"word{chr(97 + n)}{chr(97 + m)}" for n in range(9) for m in range(9)))) == 16


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("successful sign in", "Accepted publickey, session logged in"),
        ("the client hung up", "peer disconnected"),
        ("disconnected clients", "the client went away"),
        ("the disk is full", "write failed: No space left on device"),
        ("brute force", "somebody is guessing"),
        ("second factor refused", "mfa.challenge user=erin"),
        ("RAM of the VM", "memory of the guest"),
    ],
)
def test_a_phrase_and_a_word_answer_each_other(question: str, text: str) -> None:
    assert set(dict(matches(question_words(question), text)).values()) & set(text_terms(text).values())


def test_a_phrase_is_asked_for_as_one_and_its_words_count_less() -> None:
    words = question_words("out of memory on the host")
    assert list(words) == ["out-of-memory", "host"]
    found = weights("out-of-memory")
    assert found["out-of-memory"] == 1.0
    assert 0 < found["memory"] < found[stem("oom")] < 1
    assert ("out of memory", "out of memory") in list(matches(words, "Out of memory: Killed process"))
