import LikesCore
print("likesctl")
