#include "code/words.h"

namespace godwit {

const std::array<std::string_view, kWords> kWordList = {
    "acorn", "actor", "agent", "album", "almond", "amber", "anchor", "angle", "apple", "apron", "arctic",
    "arrow", "atlas", "attic", "august", "autumn", "award", "bacon", "badge", "bagel", "baker", "bamboo",
    "banana", "barrel", "basket", "beach", "berry", "bishop", "board", "bottle", "bounce", "branch", "bread",
    "brick", "bronze", "brush", "bubble", "bucket", "bundle", "butter", "cabin", "cactus", "camel", "canal",
    "carbon", "castle", "cedar", "cello", "cement", "census", "chalk", "cheese", "church", "cider", "cinema",
    "circus", "citrus", "cliff", "clock", "cobalt", "cocoa", "coffee", "collar", "comet", "copper", "coral",
    "cotton", "cousin", "coyote", "cradle", "crown", "cuckoo", "dagger", "daisy", "dancer", "decade", "denim",
    "desert", "dinner", "doctor", "donkey", "dragon", "eagle", "earth", "elbow", "empire", "engine", "envoy",
    "epoch", "essay", "expert", "fabric", "falcon", "family", "fence", "fiddle", "figure", "flame", "flute",
    "forest", "fossil", "galaxy", "garden", "geyser", "giant", "ginger", "globe", "goblet", "grape", "guitar",
    "hammer", "harbor", "hazel", "hedge", "helmet", "hermit", "hippo", "hockey", "honey", "hotel", "humble",
    "hunter", "igloo", "income", "indigo", "infant", "island", "ivory", "jacket", "jaguar", "jelly", "jewel",
    "jigsaw", "judge", "juice", "jungle", "kayak", "kernel", "kettle", "koala", "ladder", "lagoon", "laptop",
    "laurel", "lemon", "lesson", "lilac", "linen", "lizard", "locket", "lotus", "lumber", "lunar", "magnet",
    "mammal", "mango", "maple", "marble", "meadow", "melody", "memory", "metal", "mirror", "mitten", "mosaic",
    "motor", "muffin", "museum", "napkin", "nectar", "needle", "nephew", "nickel", "noble", "north", "novel",
    "nugget", "oasis", "ocean", "office", "olive", "onion", "opera", "orange", "orbit", "orchid", "organ",
    "osprey", "otter", "owner", "oxygen", "oyster", "paddle", "palace", "panda", "paper", "parade", "peanut",
    "pebble", "pencil", "pepper", "piano", "picnic", "pigeon", "pillow", "planet", "polar", "poppy", "potato",
    "prism", "puzzle", "quartz", "queen", "quilt", "rabbit", "radar", "raisin", "raven", "rhythm", "ribbon",
    "river", "salmon", "sandal", "satin", "scarf", "school", "season", "shadow", "silver", "siren", "sketch",
    "smile", "snail", "spider", "sponge", "spring", "square", "stable", "storm", "sugar", "summit", "sunset",
    "syrup", "teapot", "temple", "tennis", "ticket", "tiger", "timber", "toast", "tomato", "topaz", "tower",
    "tulip", "tunnel", "turtle",
};

}  // namespace godwit
