# fish: words for xenabs, by the version that is installed.
_XENABS_COMPLETE=fish_source xenabs | source
