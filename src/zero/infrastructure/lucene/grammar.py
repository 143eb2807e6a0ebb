"""The grammar of the query language (docs/search.md), for Lark's LALR parser.

The lexer is contextual: ranges and comparisons are read only after ``field:``; a colon inside ``field:( … )`` is plain text.
"""

GRAMMAR = r"""
?start: any_of{clause}

?any_of{item}: all_of{item} (_OR all_of{item})*
?all_of{item}: one{item} (_AND? one{item})*
?one{item}: item
    | (_NOT | _MINUS) one{item} -> none_of
    | _PLUS one{item}

?clause: value
    | _LPAR any_of{clause} _RPAR -> group
    | FIELD field_value -> field

?field_value: value
    | COMPARE value -> compare
    | RANGE_OPEN range_end _TO range_end RANGE_CLOSE -> range
    | _LPAR any_of{field_value} _RPAR -> group

value: STRING -> quoted
    | TERM -> term
range_end: STRING -> quoted
    | RANGE_TERM -> term

_OR.3: /OR(?![^\s()"])|\|\|/
_AND.3: /AND(?![^\s()"])|&&/
_NOT.3: /NOT(?![^\s()"])|!/
_MINUS.2: /-(?=\S)/
_PLUS.2: /\+(?=\S)/
_LPAR: "("
_RPAR: ")"
FIELD.2: /(?:[^\W\d]|@|\\.)(?:[^\s:()"\\*?<>=!]|\\.)*:(?!\/\/)/
COMPARE.2: />=|<=|>|</
RANGE_OPEN.2: /[\[{]/
RANGE_CLOSE.2: /[\]}]/
_TO.2: /TO(?=\s|$)/
RANGE_TERM: /(?:[^\s()"\\\[\]{}]|\\.)+/
STRING: /"(?:[^"\\]|\\.)*"/s
TERM: /(?!(?:AND|OR|NOT)(?![^\s()"])|&&|\|\|)(?:[^\s()"\\]|\\.|\\$)+/

%ignore /\s+/
"""
